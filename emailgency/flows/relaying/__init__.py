"""Mail goes on: home to customers' servers, and out to the world."""
