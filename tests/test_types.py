"""What handlers and every floor share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gsws.types import GSActor

SUBJECTS = st.one_of(st.text(), st.builds("{}{}".format, st.sampled_from(["anonymous:", "subject:"]), st.text()))


def test_a_checked_subject_is_its_own_key():
    assert GSActor("ann", authenticated=True).key == "ann"


def test_a_label_is_never_the_key_of_a_checked_subject():
    assert GSActor("ann").key == "anonymous:ann"
    assert GSActor("anonymous:ann", authenticated=True).key != "anonymous:ann"


@given(SUBJECTS, st.booleans(), SUBJECTS, st.booleans())
def test_no_two_actors_share_a_key(one, checked, other, also_checked):
    same = (one, checked) == (other, also_checked)
    assert (GSActor(one, authenticated=checked).key == GSActor(other, authenticated=also_checked).key) is same
