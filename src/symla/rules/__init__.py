"""Rules: a learning algorithm with its meta-parameters, loaded, saved, and used as an agent."""
