from __future__ import annotations

import pickle

import pytest

from beat.backend.python.exceptions import OutputError, RemoteException, UserError


@pytest.mark.parametrize(
    ("kind", "text", "system_error", "user_error"),
    [
        ("sys", "(sys) broken", "broken", ""),
        ("usr", "(usr) broken", "", "broken"),
        ("anything", "(usr) broken", "", "broken"),
    ],
)
def test_remote_exception_tells_whose_fault_it_is(kind, text, system_error, user_error):
    error = RemoteException(kind, "broken")
    assert str(error) == text
    assert error.system_error == system_error
    assert error.user_error == user_error


def test_remote_exception_survives_pickling():
    assert str(pickle.loads(pickle.dumps(RemoteException("sys", "x")))) == "(sys) x"


def test_user_error_shows_the_repr_of_its_value():
    assert str(UserError("it failed")) == "'it failed'"
    assert UserError(3).value == 3


def test_output_error_is_an_exception_with_a_text():
    assert str(OutputError("no data")) == "no data"
