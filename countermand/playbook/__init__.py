"""Playbooks: versioned, content-addressed YAML that says what is watched, who decides, and how to go back."""
