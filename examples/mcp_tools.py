"""Tools of an MCP server, which this file is, too, called in the loop. Needs the extra "mcp".

python examples/mcp_tools.py
"""

import sys

STOCK = {"bolt": 40, "nut": 12}


def serve() -> None:
    """Answers on its standard input and output until that ends."""
    try:
        from mcp.server import MCPServer
    except ImportError:  # version 1 of the package
        from mcp.server.fastmcp import FastMCP as MCPServer

    server = MCPServer("store", log_level="ERROR")

    @server.tool()
    def count(part: str) -> int:
        """How many of a part there are."""
        return STOCK.get(part, 0)

    server.run()


def main() -> None:
    """Starts the server, and lets what stands in for a model here ask it twice."""
    from mcp import StdioServerParameters

    from schemask.agent import run_agent
    from schemask.chat import TOOL_CODE
    from schemask.mcp import connect
    from schemask.models import CallableModel

    calls = [TOOL_CODE.render_call("count", {"part": part}) for part in ("bolt", "nut")]
    turns = iter([*calls, "There are 40 bolts and 12 nuts."])
    model = CallableModel(lambda prompt: next(turns))
    with connect(StdioServerParameters(command=sys.executable, args=[__file__, "serve"])) as tools:
        result = run_agent(model, tools, "How many bolts and nuts are there?")
    for step in result.steps:
        print(f"{step.kind:7}{step.status:8}{step.text}")
    print(result.status)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
