from phonegate.assembly import _url_for_carriers
from phonegate.config.settings import CarrierSettings, HttpSettings, Settings

HOME, PUBLIC = "http://192.168.1.10:8080", "https://sms.example.org"


def settings(public_url: str, carriers: CarrierSettings | None = None) -> Settings:
    http = HttpSettings(public_url=public_url)
    return Settings(http=http, carriers=carriers or CarrierSettings())


def test_carriers_are_not_given_an_address_of_a_home_network() -> None:
    assert _url_for_carriers(settings(PUBLIC)) == PUBLIC
    assert _url_for_carriers(settings(HOME)) == ""
    assert _url_for_carriers(settings("")) == ""


def test_one_in_the_same_network_is() -> None:
    assert (
        _url_for_carriers(settings(HOME, CarrierSettings(twilio_url="http://127.0.0.1:9000")))
        == HOME
    )
