"""What the events answer: the project runs in this process, and every wait has a deadline.

`gsws_project` comes with gsws: pip install "gsws[testing]", then pytest.
"""


def test_greet(gsws_project):
    answer = gsws_project.ask("websocket.greet", {"name": "Ann"})

    assert answer.data == {"text": "Hello, Ann!"}


def test_greet_refuses_what_does_not_fit(gsws_project):
    answer = gsws_project.ask("websocket.greet", {"name": ""})

    assert (answer.status, answer.error) == (400, "schema_violation")


def test_stream_comes_word_by_word(gsws_project):
    stream = gsws_project.stream("websocket.stream", {"message": "hello there"})

    words = [frame["payload"]["message"] for frame in stream if frame["eventtype"] == "stream.chunk"]
    assert words == ["You ", "said: ", "hello ", "there "]
    assert stream.end["reason"] == "complete"
