"""`twistd -n emailgency demo`: the main job to look at, with a simulated customer whose own server is down."""
