"""Answers `websocket.stream`: a LangGraph agent that searches the documents and streams what it writes."""

from helper.memory import conversation
from helper.prompts import SYSTEM_PROMPT
from helper.retrieval import search_tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from gsws import ai

built = None


def build(model, documents, threads, config):
    """The state machine: the model answers, or calls a tool and reads what it found."""
    tools = [search_tool(documents, config)]
    llm = model.bind_tools(tools)

    async def agent(state):
        messages = ai.prepare(state["messages"], system=SYSTEM_PROMPT, max_tokens=config.history_tokens)
        return {"messages": [await llm.ainvoke(messages)]}

    def tools_called(state):
        # A branch for each call: when one tool waits for a person's answer, its siblings are not run again.
        return [Send("tools", [call]) for call in state["messages"][-1].tool_calls] or END

    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", tools_called, ["tools", END])
    graph.add_edge("tools", "agent")
    return graph.compile(checkpointer=threads.checkpointer)


def graph_of(ctx):
    """The compiled graph: made at the first question, and again after a reload."""
    global built
    if built is None or built[0] is not ctx.datasources:
        clients = ctx.datasources
        built = (clients, build(clients.model, clients.documents, clients.threads, ctx.config.agent))
    return built[1]


async def stream_gemini(ctx, payload):
    """Answer a question; each frame of the answer leaves as it is made."""
    async for frame in ai.run(graph_of(ctx), payload["message"], **conversation(ctx, payload)):
        yield frame


async def retry(ctx, payload):
    """Answer the last question again."""
    async for frame in ai.retry(graph_of(ctx), **conversation(ctx, payload)):
        yield frame


async def resume(ctx, payload):
    """Go on after an `interrupt`: what called LangGraph's `interrupt()` gets the answer."""
    async for frame in ai.resume(graph_of(ctx), payload["answers"], **conversation(ctx, payload)):
        yield frame


async def history(ctx, payload):
    """The messages of a conversation, the oldest first."""
    return {"messages": await ai.history(graph_of(ctx), ctx=ctx, thread=payload.get("thread"))}
