"""How programs are written: apps, workflows, activities, and the client and worker that run them."""
