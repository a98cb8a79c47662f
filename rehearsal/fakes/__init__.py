"""Stand-ins for the systems around Countermand; they implement the same ports and can be told to fail (REL-7)."""
