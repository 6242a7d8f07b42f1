"""What the pytest plugin does once a test asks for a network."""

from .networks import NetworkFactory

__all__ = ["NetworkFactory"]
