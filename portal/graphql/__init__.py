"""The portal over GraphQL: the same agents and tasks, by the same rules, in the shape a client asks for."""
