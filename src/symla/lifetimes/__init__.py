"""The inner loop: one learning algorithm lives one lifetime in one environment."""
