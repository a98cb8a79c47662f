"""What people are told: views folded from the Ledger, and the one list of facts every message is made from."""
