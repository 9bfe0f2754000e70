"""Keys of threads: no two pairs of subject and thread share one, and each tells whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsws.ai.threads.naming import MAX_KEY, names, owner, subject_key, subject_name, thread_id

# Lone surrogates, separators and the marks of the encoding itself, more often than chance would bring them.
texts = st.text(st.one_of(st.characters(codec=None), st.sampled_from("/%*~.2F\0\ud800")), min_size=1, max_size=40)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 20, 600]))


@given(long_texts, long_texts, long_texts, long_texts)
def test_two_threads_never_share_a_key(subject, thread, other_subject, other_thread):
    """The key is injective, also in texts that are hashed for their length."""
    same = (subject, thread) == (other_subject, other_thread)

    assert (thread_id(subject, thread) == thread_id(other_subject, other_thread)) is same


@given(texts, texts, texts)
def test_moving_a_boundary_gives_another_key(left, middle, right):
    """No text in a subject can pose as the end of the subject."""
    assert thread_id(left + middle, right) != thread_id(left, middle + right)
    assert thread_id(f"{left}/{middle}", right) != thread_id(left, f"{middle}/{right}")


@given(long_texts, long_texts)
def test_a_key_is_short_and_plain(subject, thread):
    """A key is ASCII without control characters and fits an index of Postgres."""
    key = thread_id(subject, thread)

    assert len(key) <= MAX_KEY < 2704
    assert key.isascii()
    assert key.isprintable()
    assert key.count("/") == 1


@given(texts, texts)
def test_a_key_tells_whose_it_is(subject, thread):
    """Subject and thread come back out of a key."""
    key = thread_id(subject, thread)

    assert names(key) == (subject, thread)
    assert owner(key) == subject_key(subject)
    assert subject_name(subject_key(subject)) == subject


def test_plain_names_are_readable():
    """What operators see in a database is what users wrote."""
    assert thread_id("ann@example.org", "work-1") == "ann@example.org/work-1"
    assert thread_id("a/b", "c d") == "a%2Fb/c%20d"


def test_a_long_name_is_hashed_and_not_told():
    """A name that was hashed cannot be listed, and nobody can name it by its hash."""
    key = thread_id("ann", "x" * 600)
    hashed = key.partition("/")[2]

    assert names(key) == ("ann", None)
    assert thread_id("ann", hashed) != key
    assert owner(key) == "ann"


@pytest.mark.parametrize("key", ["", "ann", "/work", "ann/", "a/b/c", "/"])
def test_keys_of_others_belong_to_nobody(key):
    """A key that was not made here is no subject's, whatever it looks like."""
    assert owner(key) == ""
    assert names(key) == (None, None)


def test_bytes_that_are_no_text_are_not_told():
    """A key that another program made up with broken escapes lists without a name instead of failing."""
    assert names("%ff/%ff") == (None, None)


@pytest.mark.parametrize(("subject", "thread"), [("", "work"), ("ann", ""), (None, "work"), ("ann", 7)])
def test_nothing_is_no_name(subject, thread):
    """An empty or missing subject would be everybody's."""
    with pytest.raises(ValueError, match="at least one character"):
        thread_id(subject, thread)
