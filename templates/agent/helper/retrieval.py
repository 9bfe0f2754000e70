"""The tool that searches the documents. Another index fits here too: anything that has `search(query, k)`."""

from gsws import ai


def search_tool(documents, config):
    """The agent's tool; what it finds travels to the client as `sources`."""
    return ai.retrieval_tool(
        documents,
        name="get_relevant_docs",
        description="Search the documents. Call it with a query in the words of the documents.",
        k=config.passages,
    )
