"""Which workflow languages there are besides Python. Each is loaded when it is used first."""

from collections.abc import Mapping

from perdure.sdk.languages import LANGUAGES, Language, Written


class _StatesLanguage:
    def read(self, text: str, name: str, file: str, targets: Mapping[str, tuple[str, str]]) -> Written:
        """As ``Language.read``."""
        from perdure.languages.asl import language

        machine = language.read(text, name, file, targets)
        return Written(text, machine.create_program, machine.run_timeout_seconds, machine.comment)


def _states_language() -> Language:
    return _StatesLanguage()


LANGUAGES["asl"] = _states_language
