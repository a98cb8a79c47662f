"""The edge: the one door for people and other systems. Web pages, JSON API, signal intake, live updates."""
