from django.urls import path

from notes import views

urlpatterns = [
    path("", views.index, name="index"),
    path("notes/<int:number>/", views.detail, name="detail"),
    path("notes.json", views.as_json),
]
