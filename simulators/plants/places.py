"""The places where the simulated plants stand: climates as data.

Temperatures and sunshine are monthly normals as weather services publish them (WMO station normals), turbidity is of
the order that SoDa's world maps give; all were typed from general knowledge and are to be read as parameters of a
place that does not exist. Nothing here was adjusted to make a result come out.
"""

from simulators.plants.climate import Climate

_NO_SNOW = (0.2,) * 12

MONGOLIAN_STEPPE = Climate(
    latitude_deg=47.9,
    longitude_deg=106.9,
    altitude_m=1_300.0,
    temperatures_degc=(-21.6, -16.6, -7.4, 2.0, 10.1, 15.7, 18.2, 16.0, 9.6, 0.5, -11.9, -19.0),
    daily_swing_k=11.0,
    weather_k=4.0,
    sunshine_shares=(0.65, 0.71, 0.72, 0.64, 0.64, 0.56, 0.53, 0.58, 0.65, 0.67, 0.63, 0.60),
    linke_turbidity=(2.0, 2.2, 2.6, 3.0, 3.1, 3.2, 3.3, 3.1, 2.7, 2.4, 2.2, 2.0),
    relative_humidity=0.60,
    wind_m_per_s=2.5,
    albedo=(0.5, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.4, 0.5),
)

HANOI = Climate(
    latitude_deg=21.0,
    longitude_deg=105.8,
    altitude_m=10.0,
    temperatures_degc=(16.5, 17.7, 20.3, 24.2, 27.5, 29.4, 29.4, 28.7, 27.7, 25.3, 21.9, 18.3),
    daily_swing_k=6.5,
    weather_k=2.5,
    sunshine_shares=(0.20, 0.14, 0.13, 0.23, 0.41, 0.40, 0.46, 0.42, 0.45, 0.42, 0.39, 0.34),
    linke_turbidity=(4.5, 4.7, 4.9, 5.0, 5.0, 4.9, 4.8, 4.8, 4.7, 4.6, 4.5, 4.4),
    relative_humidity=0.79,
    wind_m_per_s=2.0,
    albedo=_NO_SNOW,
)

CENTRAL_THAILAND = Climate(
    latitude_deg=13.9,
    longitude_deg=100.6,
    altitude_m=5.0,
    temperatures_degc=(27.6, 28.7, 29.8, 30.8, 30.5, 29.9, 29.5, 29.2, 28.6, 28.4, 27.9, 26.6),
    daily_swing_k=8.5,
    weather_k=1.2,
    sunshine_shares=(0.75, 0.73, 0.72, 0.67, 0.51, 0.40, 0.38, 0.38, 0.42, 0.51, 0.66, 0.74),
    linke_turbidity=(4.6, 4.8, 5.0, 5.0, 4.8, 4.6, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5),
    relative_humidity=0.73,
    wind_m_per_s=2.0,
    albedo=_NO_SNOW,
)

ADDU = Climate(
    latitude_deg=-0.7,
    longitude_deg=73.1,
    altitude_m=2.0,
    temperatures_degc=(28.0, 28.1, 28.4, 28.6, 28.4, 28.0, 27.8, 27.8, 27.8, 27.8, 27.7, 27.8),
    daily_swing_k=5.5,
    weather_k=0.8,
    sunshine_shares=(0.64, 0.68, 0.66, 0.63, 0.60, 0.58, 0.60, 0.61, 0.60, 0.62, 0.58, 0.59),
    linke_turbidity=(4.0,) * 12,
    relative_humidity=0.79,
    wind_m_per_s=4.5,
    albedo=(0.1,) * 12,
)

MINDANAO = Climate(
    latitude_deg=6.2,
    longitude_deg=125.1,
    altitude_m=200.0,
    temperatures_degc=(27.2, 27.5, 28.1, 28.6, 28.3, 27.6, 27.3, 27.4, 27.5, 27.6, 27.7, 27.5),
    daily_swing_k=8.0,
    weather_k=0.8,
    sunshine_shares=(0.53, 0.56, 0.59, 0.62, 0.55, 0.48, 0.47, 0.49, 0.48, 0.50, 0.53, 0.52),
    linke_turbidity=(4.2,) * 12,
    relative_humidity=0.78,
    wind_m_per_s=2.5,
    albedo=_NO_SNOW,
)

JAVA = Climate(
    latitude_deg=-6.9,
    longitude_deg=111.9,
    altitude_m=30.0,
    temperatures_degc=(27.3, 27.4, 27.7, 28.1, 28.2, 27.8, 27.5, 27.7, 28.5, 29.3, 28.8, 27.8),
    daily_swing_k=8.0,
    weather_k=0.8,
    sunshine_shares=(0.42, 0.46, 0.54, 0.62, 0.68, 0.71, 0.77, 0.82, 0.80, 0.74, 0.57, 0.45),
    linke_turbidity=(4.5,) * 12,
    relative_humidity=0.78,
    wind_m_per_s=2.8,
    albedo=_NO_SNOW,
)
