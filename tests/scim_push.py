"""An identity provider that pushes: canaille, as pytest-iam starts it, brings its users and groups.

Users and groups are made, changed, locked and deleted in canaille, whose SCIM client tells the server. After
each step the server is asked, apart from canaille, whether it has exactly that. Exits with 1 unless it always
had.

Arguments: the URL of the server. The token is in SCIM_TOKEN, as others of the machine can see arguments.
"""

import datetime
import logging
import os
import sys
import uuid
from urllib.parse import urlsplit

import httpx
from canaille import create_app
from canaille.backends import Backend
from pytest_iam import Server

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


class Heard(logging.Handler):
    """What canaille says, and its requests: it takes a refusal for no more than a line in the log."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.complaints, self.lines = [], []
        for name in ("canaille", "httpx"):
            logging.getLogger(name).setLevel(logging.INFO)
            logging.getLogger(name).addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())
        # Any line: that a server does not speak SCIM is not even a warning to canaille.
        if record.name == "canaille":
            self.complaints.append(record.getMessage())


class Failed(Exception):
    """The server has something else than canaille."""


def same(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: the server has {found} instead of {wanted}")


def start(url, token):
    """canaille with the server as a client, whose token is the server's."""
    silent = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"none": {"class": "logging.NullHandler"}},
        "loggers": {"canaille": {"handlers": ["none"]}},
    }
    config = {
        "TESTING": True,
        "SECRET_KEY": str(uuid.uuid4()),
        # Nobody asks canaille anything, but it names URLs of its own.
        "SERVER_NAME": "iam.globex.example",
        "CANAILLE": {"DATABASE": "memory", "LOGGING": silent},
        # Trusted clients are told of every user, not only of those who have used them.
        "CANAILLE_OIDC": {"TRUSTED_DOMAINS": [urlsplit(url).hostname]},
        "CANAILLE_SCIM": {"ENABLE_CLIENT": True},
    }
    iam = Server(create_app(config=config), 0, Backend.instance)
    # For good: an exception in canaille's SCIM client leaves a context of its own on top of this one.
    iam.app.app_context().push()
    client = iam.models.Client(client_id="belfry", client_name="Belfry", client_uri=url)
    iam.backend.save(client)
    iam.random_token(None, client, access_token=token)
    return iam


class Push:
    def __init__(self, iam, server):
        self.iam, self.server, self.heard = iam, server, Heard()
        self.run = uuid.uuid4().hex[:12]
        # What the server must have: users by userName, the names of the members by displayName, and
        # filters that nothing may pass any more.
        self.users, self.groups, self.gone = {}, {}, []

    def step(self, title, act):
        said = self.heard.lines = []
        self.heard.complaints = []
        try:
            act()
            if self.heard.complaints:
                raise Failed("canaille complains")
            # The requests of the comparison explain nothing.
            self.heard.lines = []
            self.compare()
        except Exception as error:
            lines = [f"{title}: {type(error).__name__}: {error}"]
            lines += getattr(error, "__notes__", []) + said
            raise Failed("\n  ".join(lines)) from error
        print(f"{title}: ok")

    # What is done in canaille.

    def named(self, name):
        return f"{name}-{self.run}@globex.example"

    def user(self, name):
        """As it is stored: whoever saves a user takes it out of all groups that it did not know of."""
        return self.iam.backend.get(self.iam.models.User, user_name=self.named(name))

    def group(self, name):
        return self.iam.backend.get(self.iam.models.Group, display_name=f"{name} {self.run}")

    def save(self, resource, **values):
        self.iam.backend.update(resource, **values)
        self.iam.backend.save(resource)

    def create(self, given, family, title, number):
        address = self.named(given.lower())
        user = self.iam.models.User(
            user_name=address,
            given_name=given,
            family_name=family,
            formatted_name=f"{given} {family}",
            display_name=given,
            emails=[address],
            phone_numbers=["+1 555 0100"],
            title=title,
            preferred_language="en",
            employee_number=number,
            department="Operations",
            # It tells these too, and the server must not keep them.
            password=str(uuid.uuid4()),
            street="1 Cypress Creek Road",
            locality="Cypress Creek",
            profile_url="https://globex.example/people",
        )
        self.save(user)
        self.users[address] = {
            "externalId": user.id,
            "userName": address,
            "name": {
                "givenName": given,
                "familyName": family,
                "formatted": f"{given} {family}",
            },
            "displayName": given,
            "emails": [{"value": address}],
            "phoneNumbers": [{"value": "+1 555 0100"}],
            "title": title,
            "preferredLanguage": "en",
            "active": True,
            ENTERPRISE: {"employeeNumber": number, "department": "Operations"},
        }

    def change(self):
        self.save(
            self.user("ann"),
            family_name="Simpson",
            formatted_name="Ann Simpson",
            title="Head of desk",
        )
        ann = self.users[self.named("ann")]
        ann["name"] |= {"familyName": "Simpson", "formatted": "Ann Simpson"}
        ann["title"] = "Head of desk"

    def make_group(self):
        name = f"Desk {self.run}"
        group = self.iam.models.Group(display_name=name)
        self.save(group, members=[self.user("ann"), self.user("bob")])
        self.groups[name] = (group.id, {self.named("ann"), self.named("bob")})

    def take_out(self):
        self.save(self.group("Desk"), members=[self.user("ann")])
        self.groups[f"Desk {self.run}"][1].remove(self.named("bob"))

    def rename_group(self):
        before, after = f"Desk {self.run}", f"Front desk {self.run}"
        self.save(self.group("Desk"), display_name=after)
        self.groups[after] = self.groups.pop(before)
        self.gone.append(("Groups", f'displayName eq "{before}"'))

    def join(self):
        self.save(self.user("cid"), groups=[self.group("Front desk")])
        self.groups[f"Front desk {self.run}"][1].add(self.named("cid"))

    def lock(self):
        self.save(self.user("bob"), lock_date=datetime.datetime.now(datetime.timezone.utc))
        self.users[self.named("bob")]["active"] = False

    def unlock(self):
        self.save(self.user("bob"), lock_date=None)
        self.users[self.named("bob")]["active"] = True

    def delete_user(self):
        self.iam.backend.delete(self.user("cid"))
        name = self.named("cid")
        user = self.users.pop(name)
        self.groups[f"Front desk {self.run}"][1].remove(name)
        self.gone.append(("Users", f'userName eq "{name}"'))
        self.gone.append(("Users", f'externalId eq "{user["externalId"]}"'))

    def delete_group(self):
        # While somebody is in it: of empty groups canaille tells nobody.
        self.iam.backend.delete(self.group("Front desk"))
        name = f"Front desk {self.run}"
        external, _ = self.groups.pop(name)
        self.gone.append(("Groups", f'displayName eq "{name}"'))
        self.gone.append(("Groups", f'externalId eq "{external}"'))

    # What the server says.

    def found(self, kind, condition):
        answer = self.server.get(f"/{kind}", params={"filter": condition})
        answer.raise_for_status()
        listed = answer.json()
        same(f"total of {condition}", listed["totalResults"], len(listed.get("Resources", [])))
        return listed.get("Resources", [])

    def one(self, kind, *conditions):
        """The only one that passes each of the filters."""
        lists = [self.found(kind, condition) for condition in conditions]
        for condition, found in zip(conditions, lists):
            same(f"resources with {condition}", len(found), 1)
            same(condition, found, lists[0])
        return lists[0][0]

    def compare(self):
        """Everything of this run: a step must leave the rest as it was."""
        for kind, condition in self.gone:
            same(condition, self.found(kind, condition), [])
        # Nor anything under another name.
        total = len(self.found("Users", f'userName co "{self.run}"'))
        same("number of users", total, len(self.users))
        total = len(self.found("Groups", f'displayName co "{self.run}"'))
        same("number of groups", total, len(self.groups))
        names = {}
        for name, wanted in self.users.items():
            external = f'externalId eq "{wanted["externalId"]}"'
            user = self.one("Users", f'userName eq "{name}"', external)
            names[user["id"]] = name
            groups = {group["display"] for group in user.pop("groups", [])}
            same(f"groups of {name}", groups, {g for g, (_, m) in self.groups.items() if name in m})
            own = {key: user[key] for key in user if key not in ("id", "meta", "schemas")}
            same(name, own, wanted)
        for name, (external, wanted) in self.groups.items():
            group = self.one("Groups", f'displayName eq "{name}"', f'externalId eq "{external}"')
            members = [names.get(member["value"]) for member in group.get("members", [])]
            same(f"members of {name}", sorted(members), sorted(wanted))


def main(url):
    token = os.environ["SCIM_TOKEN"]
    iam = start(url, token)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as server:
        push = Push(iam, server)
        steps = [
            ("creates Ann", lambda: push.create("Ann", "Archer", "Analyst", "1001")),
            ("creates Bob", lambda: push.create("Bob", "Baker", "Operator", "1002")),
            ("creates Cid", lambda: push.create("Cid", "Carver", "Operator", "1003")),
            ("changes Ann's family name and title", push.change),
            ("makes a group of Ann and Bob", push.make_group),
            ("takes Bob out of the group", push.take_out),
            ("renames the group", push.rename_group),
            ("has Cid join the group", push.join),
            ("locks Bob", push.lock),
            ("unlocks Bob", push.unlock),
            ("deletes Cid", push.delete_user),
            ("deletes the group", push.delete_group),
        ]
        try:
            for title, act in steps:
                push.step(title, act)
        except Failed as failure:
            print(failure)
            return 1
    print(f"{len(steps)} steps held")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
