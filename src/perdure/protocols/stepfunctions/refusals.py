"""What AWS says when it does not do what was asked: a type, a message, a status."""


class Refusal(Exception):
    """An answer that is an error.

    Args:
        code: the error's type, such as ``StateMachineDoesNotExist``.
        message: as AWS words it.
        status: of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid_arn(arn: str) -> Refusal:
    """For what is no ARN of ours."""
    return Refusal("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {arn}'")


def no_machine(arn: str) -> Refusal:
    """For a state machine, a version or an alias that is not there."""
    return Refusal("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def deleting(arn: str) -> Refusal:
    """For a state machine that was deleted, while executions of it run."""
    return Refusal("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")


def no_execution(arn: str) -> Refusal:
    """For an execution that is not there."""
    return Refusal("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


def no_activity(arn: str) -> Refusal:
    """For an activity that is not there."""
    return Refusal("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")


def no_resource(arn: str) -> Refusal:
    """For anything else that has an ARN and is not there."""
    return Refusal("ResourceNotFound", f"Resource not found: '{arn}'")


def invalid_name(name: str) -> Refusal:
    """For a name with characters that names can't have."""
    return Refusal("InvalidName", f"Invalid Name: '{name}'")


def invalid(message: str) -> Refusal:
    """For what can't be asked so."""
    return Refusal("ValidationException", message)
