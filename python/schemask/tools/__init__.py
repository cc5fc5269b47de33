"""Tools: typed Python functions that a model can call."""

from schemask.tools.tool_set import Tool, ToolSet, ToolsLike, result_text, tool

__all__ = ["Tool", "ToolSet", "ToolsLike", "result_text", "tool"]
