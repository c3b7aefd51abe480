"""Rules: a learning algorithm with its meta-parameters, loaded, saved, and used as an agent."""

from symla.rules.agent import Agent
from symla.rules.loading import rule_from

# Here, because a Rule has agents, and an agent that is loaded has a Rule: neither file could
# import the other's.
Agent.rule_from = staticmethod(rule_from)
