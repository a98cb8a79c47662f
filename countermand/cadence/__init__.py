"""What has to be done again and again so that rollbacks work: the duties, when each is due, what is overdue."""
