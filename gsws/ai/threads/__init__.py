"""
Memory of threads: what a conversation said, kept between turns and restarts.

`ThreadStore` is the way in; `naming` says whose a thread is. Nothing that these two need imports LangGraph before a
store is opened. Running a graph on a thread is not here. May import `content`, `models` and `retrieval`.
"""

from gsws.ai.threads.errors import ThreadStoreError
from gsws.ai.threads.naming import thread_id
from gsws.ai.threads.store import ThreadStore
from gsws.ai.threads.summary import SubjectInfo, ThreadInfo

__all__ = ["SubjectInfo", "ThreadInfo", "ThreadStore", "ThreadStoreError", "thread_id"]
