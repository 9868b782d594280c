"""The object-relational mapper on SQLite: joins, aggregates, a transaction that is rolled back."""

import tempfile
from pathlib import Path

from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

DISTRIBUTIONS = ["sqlalchemy"]


class Base(DeclarativeBase):
    """All tables."""


class Author(Base):
    """Who wrote."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author", order_by="Book.year")


class Book(Base):
    """What was written."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    year: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def work():
    """Fill a database file, ask it, and fail in the middle of a transaction."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder, 'books.db')}")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all([
                Author(name="Ada", books=[Book(title="Note G", year=1843)]),
                Author(name="Alan", books=[Book(title="Numbers", year=1936), Book(title="Machinery", year=1950)]),
                Author(name="Grace"),
            ])  # fmt: skip
            session.commit()
        with Session(engine) as session:
            yield from _ask(session)
            yield from _fail(session)
        engine.dispose()


def _ask(session):
    rows = session.execute(
        select(Author.name, func.count(Book.id), func.min(Book.year))
        .outerjoin(Author.books).group_by(Author.id).order_by(Author.name)
    ).all()  # fmt: skip
    assert [tuple(row) for row in rows] == [("Ada", 1, 1843), ("Alan", 2, 1936), ("Grace", 0, None)], rows
    yield f"joined: {[tuple(row) for row in rows]}"
    late = session.scalars(
        select(Author).join(Author.books).where(Book.year > 1940).options(selectinload(Author.books))
    ).one()
    assert [book.title for book in late.books] == ["Numbers", "Machinery"]


def _fail(session):
    session.add(Author(name="Edsger"))
    session.flush()
    session.add(Author(name="Ada"))
    try:
        session.commit()
    except IntegrityError as error:
        session.rollback()
        told = str(error.orig)
    assert session.scalar(select(func.count()).select_from(Author)) == 3
    yield f"rolled back: {told}"
