"""A demo service that really splits traffic between two assistants, with its users and its judge."""
