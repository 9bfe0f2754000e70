"""The user's conversations: list, delete, begin. Each belongs to the subject that asks."""


async def threads(ctx):
    """The user's conversations, the last used first."""
    return {"threads": await ctx.datasources.threads.threads(ctx.actor.key)}


async def forget(ctx, payload):
    """Delete a conversation, with everything that was said in it."""
    await ctx.datasources.threads.delete(ctx.actor.key, payload["thread"])


async def suggestions(ctx):
    """Questions that the page offers where nothing was said yet."""
    return {"suggestions": list(ctx.config.agent.suggestions)}
