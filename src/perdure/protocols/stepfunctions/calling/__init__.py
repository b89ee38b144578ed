"""What a Task calls: functions, services, and this server itself; or the mock file in place of them.

``dispatch`` finds whom a resource names. ``lambdas`` speaks Lambda's Invoke call, ``services`` boto3, ``own`` asks this
server as a client of its own would, ``web`` any HTTP API. Each gives the task's result as AWS shows it, or raises
``TaskFailed`` with the error's name and its cause in AWS's words.
"""
