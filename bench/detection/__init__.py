"""How often rules for judging a release are wrong and how late they are right: ours and others, on the same traffic."""
