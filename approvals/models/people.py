"""People, their accounts, teams and reviewer groups.

A *person* votes; an *account* (`User`) signs in. One person may have several accounts, and
every rule about who may decide speaks of persons. Roles here never give a vote: only
membership of a reviewer group does.
"""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from uuid6 import uuid7


class Person(models.Model):
    """A human being, whatever number of accounts they use."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    is_admin = models.BooleanField(default=False)  # configures; sees everything; has no vote by it
    is_auditor = models.BooleanField(default=False)  # sees everything; changes nothing
    language = models.CharField(max_length=16, blank=True, default="")  # empty: the browser's
    time_zone = models.CharField(max_length=64, blank=True, default="")  # IANA name; empty: UTC
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes accounts; each gets a person of its own unless one is named.

    Accounts are read with their person, whom every page asks.
    """

    def get_queryset(self) -> models.QuerySet["User"]:
        """Accounts with their person, in one query."""
        return super().get_queryset().select_related("person")

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Create an account for `extra['person']` or for a new person named after the address."""
        if not email:
            raise ValueError("an account needs an e-mail address")
        email = self.normalize_email(email).lower()
        if "person" not in extra:
            extra["person"] = Person.objects.create(name=extra.pop("name", email.split("@")[0]))
        user = self.model(email=email, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Create an account whose person is an admin."""
        user = self.create_user(email, password, is_staff=True, is_superuser=True, **extra)
        Person.objects.filter(pk=user.person_id).update(is_admin=True)
        user.person.is_admin = True
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """An account that signs in with its e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="accounts")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    def __str__(self) -> str:
        return self.email


class Team(models.Model):
    """The wall between tickets: a ticket belongs to its agent's team."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    default_group = models.ForeignKey(
        "ReviewerGroup",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    members = models.ManyToManyField(Person, through="TeamMembership", related_name="teams")

    def __str__(self) -> str:
        return self.name


class TeamMembership(models.Model):
    """A person belongs to a team and therefore sees its tickets."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="team_memberships")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["team", "person"], name="team_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in team {self.team_id}"


class ReviewerGroup(models.Model):
    """People who may vote where a rule names this group."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    members = models.ManyToManyField(
        Person, through="GroupMembership", related_name="reviewer_groups"
    )

    def __str__(self) -> str:
        return self.name


class GroupMembership(models.Model):
    """A person has a vote in a reviewer group."""

    group = models.ForeignKey(ReviewerGroup, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="group_memberships")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["group", "person"], name="group_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in group {self.group_id}"
