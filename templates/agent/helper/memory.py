"""Whose conversation a question belongs to, and what its answer may cost."""


def conversation(ctx, payload):
    """What `ai.run` is told: a thread belongs to the subject that asks, whatever name the message gives it."""
    return {"ctx": ctx, "thread": payload.get("thread"), "budget": ctx.datasources.model.budget}
