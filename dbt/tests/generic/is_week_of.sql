{#- The column is the week that holds each of these days. -#}
{% test is_week_of(model, column_name, days) %}
    select
        {{ column_name }},
        {{ days | join(', ') }}
    from {{ model }}
    where
        {% for day in days -%}
            {{ 'or ' if not loop.first }}{{ column_name }} is distinct from {{ week_of(day) }}
        {% endfor %}
{% endtest %}
