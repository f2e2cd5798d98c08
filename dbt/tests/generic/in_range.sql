{#- Values lie between these bounds, both included; NULL is not looked at. -#}
{% test in_range(model, column_name, min_value, max_value='infinity') %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} not between {{ min_value }}::double and '{{ max_value }}'::double
{% endtest %}
