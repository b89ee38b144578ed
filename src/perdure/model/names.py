"""What may be a name: of a workflow, a type, a queue, a signal, a search attribute."""


def problem(what: str, name: object, longest: int = 0) -> str | None:
    """Why a value can't be a name, as a sentence, or None if it can.

    A name is text that every store and every protocol can carry: not empty, without the character NUL, without halves
    of surrogate pairs, which UTF-8 has no bytes for.

    Args:
        what: the name is of what, for the sentence.
        name: the value.
        longest: the characters it may have; 0 for any number.
    """
    if not isinstance(name, str):
        return f"{what}={name!r} must be text, not {type(name).__name__}"
    if not name:
        return f"{what} must not be empty"
    if longest and len(name) > longest:
        return f"{what} {name[:30]!r}... has {len(name):,} characters; the limit id_length is {longest:,}"
    return None if name.isascii() and "\0" not in name else text_problem(what, name)


def text_problem(what: str, text: object) -> str | None:
    """As ``problem``, for text that may be empty and as long as it likes, such as a reason."""
    if isinstance(text, str) and "\0" in text:
        return f"{what}={text!r} must not contain the character NUL"
    return unwritable(what, text)


def unwritable(what: str, text: object) -> str | None:
    """As ``problem``, for any text that has bytes in UTF-8."""
    if not isinstance(text, str):
        return f"{what}={text!r} must be text, not {type(text).__name__}"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return f"{what}={text!r} has half of a surrogate pair, which is no character"
    return None
