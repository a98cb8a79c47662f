"""How a release goes forward: the plan of its steps, who has to start it, and on what evidence it goes on."""
