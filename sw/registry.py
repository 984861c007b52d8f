"""Registries: families of classes whose members are found by name."""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Registered:
    """Base of a family of classes whose members are found by name.

    A class that defines a dict :attr:`kinds` opens a family. A class below it joins the family by
    giving its name, either as an option of the class statement or as an attribute in its body. A
    class that gives no name does not join, so that members can have a base in common:

    >>> class Animal(Registered):
    ...     kinds: ClassVar[dict[str, type[Animal]]] = {}
    >>> class Pet(Animal):
    ...     pass
    >>> class Cat(Pet, kind="cat"):
    ...     pass
    >>> class Dog(Pet):
    ...     kind = "dog"
    >>> Animal.kinds == {"cat": Cat, "dog": Dog}
    True

    Modules outside of Spikeloom add members in the same way, by being imported.

    Attributes
    ----------
    kinds : dict of str to type
        The members by name, in the order in which they joined.
    name_attribute : str
        Name of the option and of the attribute that hold a member's name; ``"kind"`` unless the
        family chooses another.

    Raises
    ------
    TypeError
        If a class gives a name that another member of the family has.
    """

    kinds: ClassVar[dict[Any, type[Any]]]
    name_attribute: ClassVar[str] = "kind"

    def __init_subclass__(cls, **options: Any) -> None:
        attribute = cls.name_attribute
        if attribute in options:
            setattr(cls, attribute, options.pop(attribute))
        super().__init_subclass__(**options)
        if attribute not in vars(cls) or "kinds" in vars(cls):
            return
        name = vars(cls)[attribute]
        other = cls.kinds.get(name, cls)
        # A module that is reloaded defines its classes again.
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"{cls.__qualname__} cannot have the {attribute} {name!r}, which "
                f"{other.__module__}.{other.__qualname__} has already"
            )
        cls.kinds[name] = cls

    @classmethod
    def member(
        cls, name: Any, error: type[Exception], message: str, *, alphabetical: bool = False
    ) -> type[Self]:
        """Return the member of the family that has a name.

        Parameters
        ----------
        name : str
        error : type of Exception
            Raised if no member has that name.
        message : str
            Of the error; the names that there are follow it.
        alphabetical : bool
            Whether these are listed in alphabetical order, instead of that of joining.
        """
        if name not in cls.kinds:
            known = sorted(cls.kinds) if alphabetical else cls.kinds
            raise error(f"{message} {', '.join(map(str, known))}")
        found: type[Self] = cls.kinds[name]
        return found
