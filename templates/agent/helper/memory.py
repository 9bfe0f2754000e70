"""Whose conversation a question belongs to, how long it waits there, and what its answer may cost."""

PATIENCE = 300  # seconds that a question waits for the answers before it: as long as one of them may take


def conversation(ctx, payload):
    """What `ai.run` is told: a thread belongs to the subject that asks, whatever name the message gives it."""
    return {
        "ctx": ctx,
        "thread": payload.get("thread"),
        "queue_timeout": PATIENCE,
        "budget": ctx.datasources.model.budget,
    }
