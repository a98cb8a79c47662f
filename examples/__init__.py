"""Things to try Countermand with; nothing in the product imports them."""
