"""A model and a prompt behind two aliases of a real MLflow registry, taken back together or not at all."""
