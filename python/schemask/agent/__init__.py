"""The loop of function calling: the model answers in words or calls tools, until it answers.

`run_agent` waits for the end, `arun_agent` awaits it, and `stream_agent` tells everything as it
comes. They are one loop (`loop.py`), which says what is to be done next and does none of it.
"""

from schemask.agent.run import AgentStream, arun_agent, run_agent, stream_agent
from schemask.agent.steps import AgentEvent, AgentResult, Step

__all__ = [
    "AgentEvent",
    "AgentResult",
    "AgentStream",
    "Step",
    "arun_agent",
    "run_agent",
    "stream_agent",
]
