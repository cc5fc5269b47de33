"""Tools: typed Python functions that a model can call."""

from schemask.tools.results import result_text
from schemask.tools.tool_set import Tool, ToolSet, ToolsLike, tool

__all__ = ["Tool", "ToolSet", "ToolsLike", "result_text", "tool"]
