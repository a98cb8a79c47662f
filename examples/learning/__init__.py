"""One turn of learning on this machine: an incident, its review, and thresholds that people change because of it."""
