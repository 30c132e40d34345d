"""What an action of this app says when it does not do what was asked."""


class Refused(Exception):
    """What is refused, why, and what to do instead; `field` names the input at fault, `code` is stable for programs.

    `forbidden` is set where the person may not do this at all (403), else the input or the moment is wrong (400, 409).
    """

    def __init__(
        self, what: str, why: str, fix: str, *, field: str = "", code: str = "refused", forbidden: bool = False
    ) -> None:
        super().__init__(f"{what} {why} {fix}".strip())
        self.what, self.why, self.fix = what, why, fix
        self.field, self.code, self.forbidden = field, code, forbidden
