"""How a gRPC server is: asked as a load's generator asks before it begins."""

from toolkit.load.health import complaint as complaint
