"""A rollback over a real Envoy with live traffic, measured from outside: by users' requests and by Envoy itself."""
