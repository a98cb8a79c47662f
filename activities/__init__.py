"""The verbs: one module per capability, each with its port (a Protocol), activity class, request and result models."""
