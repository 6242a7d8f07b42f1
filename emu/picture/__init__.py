"""Pictures of a plan: where nodes stand, where texts have room, and drawing both. Needs matplotlib."""
