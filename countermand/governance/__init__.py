"""Who may decide, on what, until when: pure rules, tested without Temporal in milliseconds."""
