"""The steps, and the tasks that workers do for them."""
