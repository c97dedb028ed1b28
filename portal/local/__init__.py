"""Real servers for the laboratory: on private ports, with data folders that go when they stop."""
